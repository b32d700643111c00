// Tiles in workgroup memory as float32.
alias Kept = vec4f;
