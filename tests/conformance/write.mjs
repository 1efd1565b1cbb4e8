// Writes docs/conformance.md anew.
import { writeFileSync } from 'node:fs';
import { DOCUMENT, readClaims, readRequirements, render } from './table.mjs';

const { claims, faults } = readClaims();
for (const fault of faults) console.error(fault);
writeFileSync(DOCUMENT, render(readRequirements(), claims));
