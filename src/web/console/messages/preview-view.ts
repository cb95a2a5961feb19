import { html } from 'hono/html';
import { type Channel, CHANNELS, countsSegments } from '#schemas/channel-facts.ts';
import type { PreviewView } from '#schemas/views.ts';
import type { SampleView } from '#services/messages/render-sample.ts';
import { forecastLine, paceDetails } from './forecast-view.ts';
import { CHANNEL_NAMES, languageName, number, people } from '#web/console/shell/format.ts';
import type { Html, Part } from '#web/console/shell/parts.ts';

/** What a preview has to say. `blocked` says why there is none yet. */
export interface PreviewState {
  readonly view?: PreviewView | undefined;
  readonly samples?: readonly SampleView[] | undefined;
  readonly blocked?: readonly string[] | undefined;
  readonly withText: boolean;
  /** The number of waves of the plan; 1 when missing. */
  readonly waves?: number;
}

const characterName = (character: string): string => `“${character}” (U+${(character.codePointAt(0) ?? 0).toString(16).toUpperCase().padStart(4, '0')})`;

function culprits(view: PreviewView): Part {
  if (view.encoding !== 'UCS-2' || view.culprits.length === 0) return '';
  const shown = view.culprits
    .slice(0, 5)
    .map(
      (culprit) =>
        `${characterName(culprit.character)} at position ${culprit.position + 1}${view.culprits.some((c) => c.locale !== culprit.locale) ? ` in ${culprit.locale}` : ''}`,
    );
  const more = view.culprits.length - shown.length;
  return html`<div class="note warn"><b>Characters that make each SMS longer:</b> ${shown.join(', ')}${more > 0 && ` and ${more} more`}. With them an SMS part holds 70 characters instead of 160.</div>`;
}

function channelLine(channel: Channel, view: PreviewView): Html {
  const pace = view.forecast.perChannel.find((one) => one.channel === channel);
  const details = [
    countsSegments(channel) && view.segments > 0
      ? view.segments === 1
        ? '1 part each'
        : `up to ${view.segments} parts each, ${number(pace?.units ?? view.units)} in all`
      : '',
    ...(pace ? paceDetails(pace) : []),
  ].filter(Boolean);
  return html`<tr><th scope="row" class="whole">${CHANNEL_NAMES[channel]}</th><td class="num">${number(view.channels[channel])}</td><td class="soft small">${details.join(', ')}</td></tr>`;
}

/**
 * Shows whom a message reaches. Nobody knows yet who will answer, so a channel of a later wave counts everybody whom it might call.
 * @param waves the number of waves of the plan
 */
export function reachSummary(view: PreviewView, waves: number): Html {
  return html`<p><b class="reach">${people(view.count - view.unreachable - view.suppressed)}</b>${view.unreachable + view.suppressed > 0 && html` <span class="soft">of ${number(view.count)} who match</span>`}<br><span class="soft">${forecastLine(view.forecast)}</span></p>
    <table><thead class="hide"><tr><th scope="col">Channel</th><th scope="col">People</th><th scope="col">Details</th></tr></thead>
      <tbody>${CHANNELS.filter((channel) => view.channels[channel] > 0).map((channel) => channelLine(channel, view))}</tbody></table>
    ${waves > 1 && html`<p class="soft small">These are the most that each channel may have to call: later calls leave out those who no longer need one.</p>`}
    ${view.unreachable > 0 && html`<div class="note warn"><b>${people(view.unreachable)}</b> cannot be reached on these channels: no address.</div>`}
    ${view.suppressed > 0 && html`<div class="note warn"><b>${people(view.suppressed)}</b> said stop or did not agree to this kind of message.</div>`}
    ${culprits(view)}
    ${view.warnings.map((warning) => html`<div class="note warn">${warning.detail}</div>`)}`;
}

function channelSample(sample: SampleView['channels'][number]): Html {
  const name = CHANNEL_NAMES[sample.channel];
  switch (sample.renders) {
    case 'notification':
      return html`<span class="small soft" lang="en">Notification</span>
      <div class="toast"><b>${sample.title}</b>${sample.body}${sample.actions.length > 0 && html`<span class="acts">${sample.actions.map((label) => html`<span>${label}</span>`)}</span>`}</div>
      `;
    case 'short_text':
      return html`<span class="small soft" lang="en">${name}</span>
      <div class="bubble">${sample.text}</div>
      `;
    case 'mail':
      return html`<details><summary lang="en">${name}: ${sample.subject}</summary><div class="bubble">${sample.text}</div></details>`;
  }
}

export function sampleView(sample: SampleView, many: boolean): Html {
  return html`<section class="stack tight" aria-label="How it looks in ${languageName(sample.locale)}">
    ${many && html`<h3>${languageName(sample.locale)}</h3>`}
    <div class="phone" lang="${sample.locale}">
      ${sample.channels.map(channelSample)}
    </div>
  </section>`;
}

/** The right-hand side of the composer, which is also the answer to a request for the preview. */
export function previewFragment(state: PreviewState): Html {
  const samples = state.samples ?? [];
  return html`<div class="stack" role="status">${
    state.view
      ? reachSummary(state.view, state.waves ?? 1)
      : html`<p class="soft">${state.blocked && state.blocked.length > 0 ? state.blocked.join('. ') : 'Here you will see how many people it reaches, over which channel, and how it looks.'}</p>`
  }</div>
  ${samples.length > 0 ? samples.map((sample) => sampleView(sample, samples.length > 1)) : state.view && !state.withText && html`<p class="soft">Write the text to see how it looks.</p>`}`;
}
