import { html } from 'hono/html';
import type { SendingState } from '#services/organisations/senders.ts';
import { CHANNEL_NAMES } from './format.ts';
import type { Part } from './parts.ts';

/** What was noticed of a database that is not the one from before. */
const NOTICED: Record<string, string> = {
  another_database: 'it is another database than before',
  copied_files: 'its files are a copy',
  went_back: 'it is older than what our processes remember',
  new_timeline: 'it was recovered, and no process that knew it before can say that nothing is missing',
};

/** The line over the whole width that says what is stopped; '' while nothing is. */
export function stoppedBanner(state: SendingState, operator: boolean): Part {
  if (state.restored !== null)
    return html`<div class="banner">■ This installation was restored from a backup (${NOTICED[state.restored] ?? state.restored}). Nothing leaves until an operator ${operator ? html`<a href="/stop?scope=installation">has looked at it and releases it</a>` : 'of the installation has looked at it and releases it'}.</div>`;
  if (state.installationStopped)
    return html`<div class="banner">■ All sending of this installation is stopped. ${operator ? html`<a href="/stop?scope=installation">Release</a>` : 'An operator of it releases it.'}</div>`;
  if (state.tenantStoppedAt !== null) return html`<div class="banner">■ All sending is stopped. Nothing leaves. <a href="/stop">Release</a></div>`;
  if (state.stoppedChannels.length > 0)
    return html`<div class="banner">■ Stopped: ${state.stoppedChannels.map((channel) => CHANNEL_NAMES[channel]).join(', ')}. <a href="/settings">Settings</a></div>`;
  return '';
}
