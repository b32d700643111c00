// Waves without WGSL's sine, put before a landscape's kernel: sin(π x) and cos(π x) to float32's accuracy, however large x is.
import wgsl from "../../../shaders/landscapes/half_turn.wgsl?raw";

/** The function `half_turn` in WGSL. */
export const halfTurnText = wgsl;
