// What the word `skip` of a control record is while a replica is halted; src/engines/gpu/control.ts says what else a record holds.
const halted = 2u;
