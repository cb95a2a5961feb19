import { createInterface } from 'node:readline';
import { Writable } from 'node:stream';

export interface Terminal {
  readonly input: NodeJS.ReadableStream;
  readonly output: NodeJS.WritableStream;
  /** The character that Ctrl-C sends. */
  interrupted(): void;
}

/** Reads one line that a person types, without showing it; undefined after Ctrl-C or Ctrl-D, which are no secret. */
export function askSecret({ input, output, interrupted }: Terminal, question: string): Promise<string | undefined> {
  output.write(question);
  // readline writes what is typed to its output, so its output goes nowhere.
  const nowhere = new Writable({ write: (_chunk, _encoding, done) => done() });
  const prompt = createInterface({ input, output: nowhere, terminal: true, historySize: 0 });
  return new Promise((done) => {
    const end = (line: string | undefined): void => {
      // This comes before the close, which also reports itself.
      done(line);
      prompt.close();
    };
    prompt.once('line', end);
    prompt.once('SIGINT', () => {
      end(undefined);
      interrupted();
    });
    prompt.once('close', () => {
      output.write('\n');
      done(undefined);
    });
  });
}
