import { html } from 'hono/html';
import type { MessageView } from '#schemas/views.ts';
import type { Generation, SpreadView } from '#services/spread/list-spread.ts';
import { number, plural } from '#web/console/shell/format.ts';
import type { Html, Part } from '#web/console/shell/parts.ts';

const TOP = 3;
const stepName = (generation: number): string => (generation === 0 ? 'First broadcast' : `Step ${generation}`);

/** R is a mean over people who have had the message for long enough. With few of them it tells more of chance than of the message. */
const reproductionText = ({ reproduction }: Generation): Html =>
  reproduction === 'too_early'
    ? html`<span class="soft">too early</span>`
    : html`${reproduction.r.toFixed(2)} <span class="soft small">(${reproduction.low.toFixed(2)} to ${reproduction.high.toFixed(2)})</span>`;

function stepsTable({ generations, matureMinutes }: SpreadView): Html {
  const early = generations.some((one) => one.reproduction === 'too_early');
  return html`<table class="fit"><thead><tr><th scope="col">Step</th><th scope="col" class="num">People</th><th scope="col" class="num">Passed it on</th><th scope="col" class="num">Each brought (R)</th></tr></thead>
    <tbody>${generations.map(
      (one) =>
        html`<tr><th scope="row">${stepName(one.generation)}</th><td class="num">${number(one.people)}</td><td class="num">${number(one.sharers)}</td><td class="num">${reproductionText(one)}</td></tr>`,
    )}</tbody></table>
    ${early && html`<p class="soft small">R counts people who have had the message for ${plural(matureMinutes, 'minute')}; with fewer than 30 of them it is too early to say. Above 1 it spreads by itself.</p>`}`;
}

function topList({ top }: SpreadView): Part {
  const brought = top.filter((one) => one.joins > 0).slice(0, TOP);
  if (brought.length === 0) return '';
  return html`<p class="small"><b>Brought most:</b> ${brought.map((one, i) => html`${i > 0 && ', '}<a href="/people/${one.recipientId}">${one.name ?? 'Unnamed'}</a> (${number(one.joins)})`)}</p>`;
}

/** Shows how far people passed the message on; '' for a message that may not be passed on. */
export function spreadCard({ share, spread }: MessageView, view: SpreadView | undefined): Part {
  if (!share) return '';
  return html`<section class="card stack" aria-labelledby="spread-title"><h2 id="spread-title">Passed on</h2>
    <dl class="facts four"><div><dt>Shared it</dt><dd>${number(spread.shares)}</dd></div><div><dt>Visits by people</dt><dd>${number(spread.visits)}</dd></div>
      <div><dt>Joined</dt><dd>${number(spread.joins)}</dd></div><div><dt>Longest chain</dt><dd>${plural(spread.generations, 'step')}</dd></div></dl>
    ${view && html`${stepsTable(view)} ${topList(view)}`}</section>`;
}
