// Where there is no work after the product's tiles.
fn beyond_tiles(instance: u32, column: u32) {
}
