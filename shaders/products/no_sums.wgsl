// The empty `beyond_tiles`, for epilogues without work after the product's tiles.
fn beyond_tiles(instance: u32, column: u32) {
}
