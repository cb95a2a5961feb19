export interface BarGroup {
  readonly name: string;
  readonly unit: string;
  readonly bars: readonly { readonly name: string; readonly value: number | null; readonly ours?: boolean }[];
}

/**
 * The chart is narrow, so that its words can still be read in a README on a phone of 360 px, which shows it at three
 * quarters.
 */
const WIDTH = 480;
const LEFT = 178;
const RIGHT = 76;
const BAR = 22;
const GAP = 6;

const escape = (text: string): string => text.replace(/[&<>"]/g, (c) => `&#${c.charCodeAt(0)};`);

/** The chart has colours for light and for dark pages, since a README is shown on both. */
const STYLE = `<style>
  text { font: 13px system-ui, sans-serif; fill: #24292f } .title { font-size: 16px; font-weight: 600 } .group { font-weight: 600 } .foot { font-size: 12px; opacity: .8 }
  .bar { fill: #8c959f } .ours { fill: #0969da }
  @media (prefers-color-scheme: dark) { text { fill: #e6edf3 } .bar { fill: #6e7681 } .ours { fill: #4493f8 } }
</style>`;

/** Horizontal bars with the number beside each, and a description for screen readers; each group has a scale of its own. */
export function barChart(title: string, groups: readonly BarGroup[], foot: string): string {
  const parts: string[] = [];
  let y = 34;
  for (const group of groups) {
    y += 24;
    parts.push(`<text class="group" x="0" y="${y}">${escape(group.name)}</text>`);
    y += 8;
    const longest = Math.max(...group.bars.map((bar) => bar.value ?? 0), Number.MIN_VALUE);
    for (const { name, value, ours } of group.bars) {
      const width = Math.max(1, ((value ?? 0) / longest) * (WIDTH - LEFT - RIGHT));
      const label = value === null ? 'not measured' : `${value.toLocaleString('en')}${group.unit}`;
      parts.push(
        `<text x="${LEFT - 8}" y="${y + 15}" text-anchor="end">${escape(name)}</text>`,
        `<rect class="bar${ours ? ' ours' : ''}" x="${LEFT}" y="${y}" width="${width.toFixed(1)}" height="${BAR}" rx="2"/>`,
        `<text x="${(LEFT + width + 6).toFixed(1)}" y="${y + 15}">${escape(label)}</text>`,
      );
      y += BAR + GAP;
    }
  }
  // Two groups whose longest bars are of one length must not be read as equal.
  const feet = groups.length > 1 ? ['Each group has a scale of its own.', foot] : [foot];
  y += 4;
  const ends = feet.map((line) => {
    y += 17;
    return `<text class="foot" x="0" y="${y}">${escape(line)}</text>`;
  });
  const spoken = groups
    .map((group) => `${group.name}: ${group.bars.map((bar) => `${bar.name} ${bar.value ?? 'not measured'}${bar.value === null ? '' : group.unit}`).join(', ')}`)
    .join('. ');
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${y + 8}" width="${WIDTH}" height="${y + 8}" role="img" aria-labelledby="title desc">
<title id="title">${escape(title)}</title>
<desc id="desc">${escape(spoken)}</desc>
${STYLE}
<text class="title" x="0" y="18">${escape(title)}</text>
${parts.join('\n')}
${ends.join('\n')}
</svg>
`;
}
