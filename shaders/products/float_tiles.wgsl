// Tiles in workgroup memory as they are.
alias Kept = vec4f;
