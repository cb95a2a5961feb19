import type { MessageView } from '#schemas/views.ts';
import { events } from './event-source.ts';
import { type Command, type Io, word } from './io.ts';
import { isOver, plainLine, progressLines } from './progress-lines.ts';

/** Follows a message until nothing more will be called; with --follow until Ctrl-C, since answers go on. */
export const watch: Command = async ({ api, io, words, flags }) => {
  const id = word(words, 0, 'the message id');
  const show =
    flags['json'] === true ? (view: MessageView) => io.out(`${JSON.stringify(view)}\n`) : io.columns === undefined ? plain(io) : redraw(io, io.columns);
  const leave = new AbortController();
  const signal = AbortSignal.any([io.signal, leave.signal]);
  try {
    for await (const event of events(api, `/messages/${encodeURIComponent(id)}/events`, signal)) {
      const view = event as MessageView;
      show(view);
      if (isOver(view) && flags['follow'] !== true) return;
    }
  } finally {
    leave.abort();
  }
};

function plain(io: Io): (view: MessageView) => void {
  let last = '';
  return (view) => {
    const line = plainLine(view);
    if (line !== last) io.out(`${line}\n`);
    last = line;
  };
}

function redraw(io: Io, columns: number): (view: MessageView) => void {
  let drawn = 0;
  return (view) => {
    const lines = progressLines(view, columns);
    // The cursor goes up over what was drawn before, and each line is cleared to its end.
    io.out(`${drawn > 0 ? `\u001b[${drawn}A` : ''}${lines.map((line) => `\r${line}\u001b[K\n`).join('')}`);
    drawn = lines.length;
  };
}
