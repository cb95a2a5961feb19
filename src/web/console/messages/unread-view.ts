import { html } from 'hono/html';
import type { MessageView } from '#schemas/views.ts';
import { plural } from '#web/console/shell/format.ts';
import type { Part } from '#web/console/shell/parts.ts';

/** What came back and nobody here understands: these mails may have failed, and still count as handed over. */
export function unreadCard({ unreadBounces }: MessageView): Part {
  if (unreadBounces === 0) return '';
  return html`<section class="card stack" aria-labelledby="unread-title">
    <h2 id="unread-title">${plural(unreadBounces, 'reply', 'replies')} of mail servers could not be read</h2>
    <p class="soft">They came back to mails of this message and do not say clearly what became of them, so those mails still count as handed over. Only their number is kept. Whoever runs your mail server can look them up there.</p>
  </section>`;
}
