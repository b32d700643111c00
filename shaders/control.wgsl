// The value of a control record's `skip` while its replica is halted; src/engines/gpu/control.ts has the rest of the record.
const halted = 2u;
