// Where workgroups behind those of the product's tiles have nothing to do.
fn beyond_tiles(instance: u32, column: u32) {
}
