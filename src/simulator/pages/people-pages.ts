import { html, raw } from 'hono/html';
import type { Call } from '#simulator/call-log.ts';
import type { Answer } from '#simulator/http.ts';
import type { Outbox } from '#simulator/outbox.ts';

type Markup = ReturnType<typeof html>;

const STYLE = `body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:0 auto;padding:1rem;color:#1a1a1a;background:#fff}
table{border-collapse:collapse;width:100%;font-size:.9rem}th,td{text-align:left;padding:.3rem .5rem;border-bottom:1px solid #ccc;vertical-align:top;overflow-wrap:anywhere}td:nth-child(2){overflow-wrap:normal}
li{list-style:none;border:1px solid #bbb;border-radius:.5rem;padding:.5rem .75rem;margin:.5rem 0;white-space:pre-wrap;overflow-wrap:anywhere}ul{padding:0}
@media(max-width:40rem){table,tbody,tr,td{display:block}thead{display:none}tr{border-bottom:1px solid #ccc;padding:.4rem 0}td{border:0;padding:0}td:empty{display:none}}
.at{white-space:nowrap}.out{background:#e8f1ff;margin-left:3rem}.in{margin-right:3rem}small{color:#555}label{display:block;margin-top:.5rem}
input,textarea{font:inherit;width:100%;box-sizing:border-box;padding:.4rem;border:1px solid #767676}button{font:inherit;padding:.4rem 1rem;margin-top:.5rem}`;

const page = async (title: string, body: Markup | Promise<Markup>): Promise<Answer> => ({
  status: 200,
  headers: {
    'content-type': 'text/html; charset=utf-8',
    'content-security-policy': "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; base-uri 'none'",
    'cache-control': 'no-store',
  },
  body: String(
    await html`<!doctype html>
      <html lang="en">
        <head>
          <meta charset="utf-8" />
          <meta name="viewport" content="width=device-width, initial-scale=1" />
          <title>${title}</title>
          <style>
            ${raw(STYLE)}
          </style>
        </head>
        <body>
          <main>${await body}</main>
        </body>
      </html>`,
  ),
});

const personPath = (address: string): string => `/person/${encodeURIComponent(address)}`;
const clock = (at: number | string): string => new Date(at).toISOString().slice(11, 19);

/** The start of a text, enough to recognise a message in a list. */
const firstWords = (text: string): string => {
  const line = text.trim().replaceAll(/\s+/g, ' ');
  return line.length > 70 ? `${line.slice(0, 70).replace(/[\uD800-\uDBFF]$/, '')}…` : line;
};

/** Text with its links made clickable. */
const linked = (text: string): Markup[] =>
  text.split(/(https?:\/\/[^\s"<>]+)/).map((part, i) => (i % 2 === 1 ? html`<a href="${part}" target="_blank" rel="noreferrer">${part}</a>` : html`${part}`));

const textForm = (action: string, from: Markup, to: string): Markup => html`
  <form method="post" action="${action}">
    ${from}
    <label>To <input name="to" required value="${to}" autocomplete="off" /></label>
    <label>Text <textarea name="body" required rows="2" maxlength="1600"></textarea></label>
    <button>Send text message</button>
  </form>
`;

/** The page of everybody who got something lately, with the latest calls and a form to write as anybody. */
export async function frontPage(outbox: Outbox, calls: readonly Call[], total: number): Promise<Answer> {
  const people = await Promise.all(
    outbox
      .people()
      .slice(0, 100)
      .map(async ({ address, latest }) => ({ address, latest, words: latest.subject ?? firstWords(await latest.text()) })),
  );
  return page(
    'Muster simulator',
    html`
      <h1>Simulated carriers</h1>
      <p>No message leaves this computer. Open a person to read what arrived, follow its links, and reply.</p>
      <h2>People</h2>
      ${people.length === 0 ? html`<p>Nobody has got a message since this process started.</p>` : ''}
      <table>
        <tbody>
          ${people.map(
            ({ address, latest, words }) => html`<tr>
              <td><a href="${personPath(address)}">${address}</a></td>
              <td>${latest.channel}</td>
              <td>${latest.direction === 'out' ? `wrote: ${words}` : words}</td>
              <td class="at">${clock(latest.at)} UTC</td>
            </tr>`,
          )}
        </tbody>
      </table>
      <h2>Write as somebody</h2>
      ${textForm('/text', html`<label>From <input name="from" required placeholder="+15005550100" autocomplete="off" /></label>`, '')}
      <h2>Latest calls</h2>
      <p>${total} since this process started; every one ever is in <code>simulator/calls.ndjson</code> and at <a href="/control/calls">/control/calls</a>.</p>
      <table>
        <thead>
          <tr>
            <th>At (UTC)</th>
            <th>Channel</th>
            <th>To</th>
            <th>Outcome</th>
            <th>Content</th>
          </tr>
        </thead>
        <tbody>
          ${calls.map(
            (call) => html`<tr>
              <td>${clock(call.at)}</td>
              <td>${call.channel}</td>
              <td><a href="${personPath(call.to)}">${call.to}</a></td>
              <td>${call.outcome} ${call.code ?? ''}</td>
              <td>${call.body ?? call.subject ?? (call.bytes === undefined ? '' : `${call.bytes} bytes, encrypted`)}</td>
            </tr>`,
          )}
        </tbody>
      </table>
    `,
  );
}

/** The page of one person's messages, oldest first, with the reply box. */
export async function personPage(outbox: Outbox, address: string): Promise<Answer> {
  const items = await Promise.all(outbox.of(address).map(async (item) => ({ ...item, words: await item.text() })));
  const number = items.findLast((item) => item.channel === 'sms')?.other ?? '';
  return page(
    `${address} - Muster simulator`,
    html`
      <p><a href="/">All people</a></p>
      <h1>${address}</h1>
      ${items.length === 0 ? html`<p>Nothing has arrived here.</p>` : ''}
      <ul>
        ${items.map(
          (
            item,
          ) => html`<li class="${item.direction}"><small>${clock(item.at)} UTC, ${item.channel}, ${item.direction === 'in' ? 'from' : 'to'} ${item.other || 'push service'}</small>
${item.subject ? html`<strong>${item.subject}</strong>\n` : ''}${linked(item.words)}</li>`,
        )}
      </ul>
      ${address.startsWith('+') ? html`<h2>Reply</h2>${textForm('/text', html`<input type="hidden" name="from" value="${address}" />`, number)}` : ''}
    `,
  );
}

/** Answers a text that was written: it goes back to the person, or says what went wrong. */
export const textSent = (address: string, status: number): Answer | Promise<Answer> =>
  status >= 200 && status < 300
    ? { status: 303, headers: { location: personPath(address) } }
    : page(
        'Not taken',
        html`<h1>The text was not taken</h1><p>Muster answered ${status === 0 ? 'nothing' : status}.</p><p><a href="${personPath(address)}">Back</a></p>`,
      );
