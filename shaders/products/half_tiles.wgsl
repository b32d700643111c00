// Tiles in workgroup memory as float16: half the traffic; products and sums are still float32.
enable f16;

alias Kept = vec4h;
