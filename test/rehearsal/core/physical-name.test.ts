import fc from 'fast-check';
import { physicalName } from '../../../rehearsal/core/physical-name';

test('names the stack and the logical id and differs each time', () => {
  const name = () => physicalName({ stackName: 'Support' }, 'Tasks1234', { maxLength: 80 });
  expect(name()).toMatch(/^Support-Tasks1234-[A-Z0-9]{12}$/);
  expect(name()).not.toBe(name());
});

test('keeps to the length and the case of the service', () => {
  const word = fc.string({ unit: fc.constantFrom('a', 'B', '7'), minLength: 1, maxLength: 128 });
  fc.assert(
    fc.property(word, word, fc.integer({ min: 32, max: 255 }), (stackName, logicalId, maxLength) => {
      const name = physicalName({ stackName }, logicalId, { maxLength, lowerCase: true });
      expect(name.length).toBeLessThanOrEqual(maxLength);
      expect(name).toBe(name.toLowerCase());
    }),
  );
});
