import { PassThrough } from 'node:stream';
import { expect, test } from 'vitest';
import { askSecret } from './ask-secret.ts';

function terminal() {
  const [input, output] = [new PassThrough(), new PassThrough()];
  let interrupts = 0;
  return {
    input,
    shown: () => String(output.read() ?? ''),
    interrupts: () => interrupts,
    ask: (question: string) =>
      askSecret(
        {
          input,
          output,
          interrupted: () => {
            interrupts += 1;
          },
        },
        question,
      ),
  };
}

test('what is typed comes back and is never shown, one question after the other', async () => {
  const { input, shown, ask } = terminal();
  const first = ask('Password: ');
  input.write('secrex\u007Ft\r');
  expect(await first).toBe('secret');
  const second = ask('Again: ');
  input.write('other\r');
  expect(await second).toBe('other');
  expect(shown()).toBe('Password: \nAgain: \n');
});

test.each([
  ['Ctrl-C', '\u0003', 1],
  ['Ctrl-D', '\u0004', 0],
])('%s is no secret', async (_, typed, interrupts) => {
  const one = terminal();
  const asked = one.ask('Password: ');
  one.input.write(typed);
  expect(await asked).toBeUndefined();
  expect(one.interrupts()).toBe(interrupts);
});
