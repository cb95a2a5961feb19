import { XmlDocument } from 'libxml2-wasm';
import { expect, test } from 'vitest';
import { barChart } from './bar-chart.ts';

test('a chart is valid XML, says its numbers, and draws them to scale', () => {
  const svg = barChart(
    'A & B',
    [
      {
        name: 'SMS <1>',
        unit: '/s',
        bars: [
          { name: 'bare "loop"', value: 2000 },
          { name: 'Muster', value: 1000, ours: true },
          { name: 'none', value: null },
        ],
      },
    ],
    'foot',
  );
  const parsed = XmlDocument.fromString(svg);
  expect(parsed.root.name).toBe('svg');
  parsed.dispose();
  expect(svg).toContain('2,000/s');
  expect(svg).toContain('not measured');
  const widths = [...svg.matchAll(/<rect class="bar[^"]*" [^>]*width="([\d.]+)"/g)].map((found) => Number(found[1]));
  expect(widths[1]).toBeCloseTo((widths[0] ?? 0) / 2, 0);
  expect(svg).toContain('<desc id="desc">SMS &#60;1&#62;: bare &#34;loop&#34; 2000/s, Muster 1000/s, none not measured</desc>');
  const twice = [1, 2].map((n) => ({ name: `${n}`, unit: '/s', bars: [{ name: 'bare', value: n }] }));
  expect([svg, barChart('T', twice, 'foot')].map((one) => one.includes('a scale of its own'))).toEqual([false, true]);
});
