// That each requirement is proven by a test, does not apply, or is known to be open; and that docs/conformance.md says so.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, it } from 'node:test';
import { claimsOf, COMMAND, DOCUMENT, faultsBetween, faultsOfRequirements, readClaims, readRequirements, render } from './table.mjs';

const requirements = readRequirements();
const { claims, faults } = readClaims();
const none = (list) => assert.equal(list.join('\n'), '');

describe('the list of requirements', () => {
  it('is well formed', () => none(faultsOfRequirements(requirements)));
});

describe('the claims of the tests', () => {
  it('are well formed', () => none(faults));

  it('fit the requirements', () => none(faultsBetween(requirements, claims)));

  it('are what the document says', () => {
    assert.ok(readFileSync(DOCUMENT, 'utf8') === render(requirements, claims), `docs/conformance.md is not up to date: ${COMMAND} writes it anew`);
  });
});

describe('a claim', () => {
  const unit = (comment, test = 'TEST_F(Suite, Name) {') => claimsOf('tests/unit/x_test.cpp', `${comment}\n${test}\n`);

  it('names an RFC, a section, a behaviour and a requirement', () => {
    const { claims: [claim], faults: [fault] } = unit('// RFC 3261 §9.1: CANCEL waits [cancel-waits]');
    assert.deepEqual(claim, { rfc: 3261, section: '9.1', others: '', behaviour: 'CANCEL waits', key: 'cancel-waits', path: 'tests/unit/x_test.cpp', test: 'Suite.Name' });
    assert.equal(fault, undefined);
  });

  it('may name no requirement, and may stand with others', () => {
    const { claims: found } = unit('// RFC 3261 §9.1: one\n// that goes on\n// RFC 3264 §8: other [key]');
    assert.deepEqual(found.map(({ behaviour, key }) => [behaviour, key]), [['one that goes on', undefined], ['other', 'key']]);
  });

  it('may cite several sections', () => {
    const { claims: [claim] } = unit('// RFC 4028 §8.1, §9, RFC 3261 §14.2: it [key]');
    assert.deepEqual([claim.rfc, claim.section, claim.others, claim.behaviour], [4028, '8.1', ', §9, RFC 3261 §14.2', 'it']);
  });

  it('of an RFC whose sections have no numbers names none', () => {
    assert.equal(unit('// RFC 2782: weights').claims[0].section, '');
  });

  it('is found above a test whose name goes over two lines', () => {
    assert.equal(unit('// RFC 3261 §9.1: it', 'TEST_P(Suite,\n       Name) {').claims[0].test, 'Suite.Name');
  });

  it('of Node\'s tests has the titles of the suites', () => {
    const text = "describe('one', () => {\n  describe(`of ${x}`, () => {\n    // RFC 3261 §9.1: it\n    it('isn\\'t', () => {});\n  });\n});\n";
    assert.equal(claimsOf('tests/sip/x.test.mjs', text).claims[0].test, "one › of … › isn't");
  });

  it('may stand above an entry of a table of tests', () => {
    assert.equal(claimsOf('tests/sip/x.test.mjs', "// RFC 3261 §9.1: it\n    ['uac_cancel', 1],\n").claims[0].test, 'uac_cancel');
  });

  for (const malformed of ['// RFC 3261: nothing', '// RFC 3261 §: it', '// RFC 3261 §nine: it', '// RFC x §9: it', '// RFC 3261 §9, §x: it', '// RFC 3261 §9, RFC 3264: it', '// RFC 3261 §9.1 it', '// RFC 3261 §9.1: it [Key]', '// RFC 3261 §9.1: it []']) {
    it(`is not ${malformed}`, () => assert.equal(unit(malformed).faults.length, 1));
  }

  it('stands directly above its test', () => {
    assert.equal(unit('// RFC 3261 §9.1: it [key]\n').faults.length, 1);
    assert.equal(unit('// RFC 3261 §9.1: only a comment\n').faults.length, 0);
  });
});

describe('a requirement', () => {
  const requirement = (more) => ({ key: 'one', rfc: 3261, section: '9.1', level: 'must', behaviour: 'It is so', ...more });
  const claim = { rfc: 3261, section: '9.1', behaviour: 'it', key: 'one', path: 'x', test: 'Suite.Name' };

  it('is proven by a claim', () => {
    assert.equal(faultsBetween([requirement()], [claim]).length, 0);
    assert.equal(faultsBetween([requirement()], []).length, 1);
  });

  it('that is open, or does not apply, has no proof', () => {
    for (const more of [{ open: 'Not yet' }, { not_applicable: 'We are none' }]) {
      assert.equal(faultsBetween([requirement(more)], []).length, 0);
      assert.equal(faultsBetween([requirement(more)], [claim]).length, 1);
    }
  });

  it('must be there for each key that is claimed', () => assert.equal(faultsBetween([], [claim]).length, 1));

  it('has the fields that it must have', () => {
    assert.equal(faultsOfRequirements([requirement()]).length, 0);
    for (const more of [{ key: 'One' }, { rfc: '3261' }, { section: '§9' }, { level: 'MUST' }, { behaviour: '' }, { proof: 'x' }, { open: 'a', not_applicable: 'b' }]) {
      assert.notEqual(faultsOfRequirements([requirement(more)]).length, 0, JSON.stringify(more));
    }
    assert.equal(faultsOfRequirements([requirement(), requirement()]).length, 1);
  });
});
