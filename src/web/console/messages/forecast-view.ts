import { html } from 'hono/html';
import { formatDuration } from '#platform/duration.ts';
import { type Channel, countsSegments } from '#schemas/channel-facts.ts';
import type { ChannelForecast, Forecast, MessageView } from '#schemas/views.ts';
import { CHANNEL_NAMES, number, plural } from '#web/console/shell/format.ts';
import type { Html, Part } from '#web/console/shell/parts.ts';

/** Says in one sentence when the last person has the message. */
export function forecastLine(forecast: Forecast): string {
  if (forecast.seconds === null) return 'The last person: as fast as the carriers take it.';
  return `The last person in about ${formatDuration(forecast.seconds)}.`;
}

/** Says why a channel takes as long as it does. */
export function paceDetails(row: ChannelForecast): string[] {
  if (row.people === 0) return [];
  const unit = countsSegments(row.channel) ? 'part' : 'message';
  return [
    row.seconds !== null && row.seconds > 0 ? `last in ${formatDuration(row.seconds)}` : '',
    row.unitsPerSecond === null ? '' : `${number(Math.round(row.unitsPerSecond * 10) / 10)} ${row.unitsPerSecond === 1 ? unit : `${unit}s`} a second`,
    row.unitsAhead > 0 ? `${plural(row.unitsAhead, unit)} of other messages in the queue` : '',
  ].filter(Boolean);
}

const lastIn = (seconds: number | null | undefined, otherwise: string): string =>
  seconds === null || seconds === undefined ? otherwise : formatDuration(seconds < 1 ? seconds : Math.round(seconds));

/** Shows forecast and fact of a launched message, channel by channel. Seconds count from the launch. */
export function paceCard({ forecast, fact, state }: MessageView): Part {
  if (!fact || fact.firstCallSeconds === null) return '';
  const channels = [...new Set<Channel>([...(forecast?.perChannel ?? []).filter((row) => row.people > 0), ...fact.perChannel].map((row) => row.channel))];
  const row = (channel: Channel): Html => {
    const expected = forecast?.perChannel.find((one) => one.channel === channel);
    const real = fact.perChannel.find((one) => one.channel === channel);
    return html`<tr><th scope="row">${CHANNEL_NAMES[channel]}</th>
      <td class="num" data-label="Forecast">${lastIn(expected?.seconds, expected ? 'as carriers take it' : 'none')}</td><td class="num" data-label="${state === 'live' ? 'So far' : 'In fact'}">${lastIn(real?.seconds, 'no call yet')}</td>
      <td class="num" data-label="Units forecast">${expected ? number(expected.units) : 'none'}</td><td class="num" data-label="Units used">${number(real?.units ?? 0)}</td></tr>`;
  };
  return html`<section class="card stack" aria-labelledby="pace-title"><h2 id="pace-title">Forecast and fact</h2>
    <p class="soft small">The first call left ${fact.firstCallSeconds.toFixed(1)} s after launch. ${state === 'live' ? 'The last call so far' : 'The last call'}, counted from launch, beside what was forecast then.</p>
    <div class="scroll"><table class="cells"><thead><tr><th scope="col">Channel</th><th scope="col" class="num">Forecast</th><th scope="col" class="num">${state === 'live' ? 'So far' : 'In fact'}</th><th scope="col" class="num">Units forecast</th><th scope="col" class="num">Units used</th></tr></thead>
      <tbody>${channels.map(row)}</tbody></table></div>
    <p class="soft small">A unit is what is billed: one part of an SMS, one e-mail, one push.</p></section>`;
}
