import fc from 'fast-check';
import { SegmentedMessage } from 'sms-segments-calculator';
import { describe, expect, it, test } from 'vitest';
import { countSegments, templateSegments } from './segments.ts';

const a = (n: number): string => 'a'.repeat(n);
const ya = (n: number): string => 'я'.repeat(n);
const FAMILY = '👨‍👩‍👧‍👦';

describe('countSegments', () => {
  test.each<[string, string, 'GSM-7' | 'UCS-2', number, number]>([
    ['nothing', '', 'GSM-7', 0, 0],
    ['160 letters', a(160), 'GSM-7', 1, 160],
    ['161 letters', a(161), 'GSM-7', 2, 161],
    ['two full parts', a(306), 'GSM-7', 2, 306],
    ['one more than two parts', a(307), 'GSM-7', 3, 307],
    ['an escape pair that still fits', `${a(158)}€`, 'GSM-7', 1, 160],
    ['an escape pair one too many', `${a(159)}€`, 'GSM-7', 2, 161],
    ['an escape pair at the border of parts leaves one septet empty', `${a(152)}€${a(152)}`, 'GSM-7', 3, 306],
    ['line ends', 'a\nb\r\nc', 'GSM-7', 1, 6],
    ['70 wide letters', ya(70), 'UCS-2', 1, 70],
    ['71 wide letters', ya(71), 'UCS-2', 2, 71],
    ['two full wide parts', ya(134), 'UCS-2', 2, 134],
    ['one more than two wide parts', ya(135), 'UCS-2', 3, 135],
    ['an escape character costs one unit when wide', `${ya(69)}€`, 'UCS-2', 1, 70],
    ['a curly quote makes 160 letters three parts', `${a(159)}’`, 'UCS-2', 3, 160],
    ['an emoji at the border of parts moves whole', `${ya(66)}😀${ya(66)}`, 'UCS-2', 3, 134],
    ['a family of four is 11 units', FAMILY, 'UCS-2', 1, 11],
    ['six families', FAMILY.repeat(6), 'UCS-2', 1, 66],
    ['seven families: the seventh moves whole', FAMILY.repeat(7), 'UCS-2', 2, 77],
    ['twelve families: six a part', FAMILY.repeat(12), 'UCS-2', 2, 132],
    ['thirteen families', FAMILY.repeat(13), 'UCS-2', 3, 143],
    ['a letter under 200 accents is cut between them', `a${'\u0301'.repeat(200)}`, 'UCS-2', 3, 201],
  ])('%s', (_, text, encoding, segments, units) => {
    expect(countSegments(text)).toMatchObject({ encoding, segments, units });
  });

  it.each([...'^{}\\[]~|€'])('%s takes two septets', (character) => {
    expect(countSegments(character)).toEqual({ encoding: 'GSM-7', segments: 1, units: 2, culprits: [] });
  });

  it.each([...'@£$¥èéùìòÇØøÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ¤ÄÖÑÜ§¿¡äöñüà'])('%s takes one septet', (character) => {
    expect(countSegments(character)).toMatchObject({ encoding: 'GSM-7', units: 1 });
  });

  it.each([...'çáíóúâêîôûëïÁÓ’‘“”–—…`\t\u00a0'])('%j is outside GSM-7', (character) => {
    expect(countSegments(`ab${character}`)).toEqual({ encoding: 'UCS-2', segments: 1, units: 3, culprits: [{ character, position: 2 }] });
  });

  it('names what made the text wide, emoji whole, with offsets', () => {
    expect(countSegments(`It’s on ${FAMILY} é`).culprits).toEqual([
      { character: '’', position: 2 },
      { character: FAMILY, position: 8 },
    ]);
  });

  // Accents in heaps are left out, since the library overfills a part with them, and newer emoji, since its splitter cuts them.
  it('agrees with Twilio’s own calculator', () => {
    const piece = fc.oneof(
      fc.constantFrom(...'ab €{}|\n\r~é’я漢'),
      fc.constantFrom('😀', FAMILY, '👍🏽', '🇩🇪', 'e\u0301', '\r\n'),
      fc.integer({ min: 1, max: 170 }).map(a),
    );
    fc.assert(
      fc.property(fc.array(piece, { minLength: 1, maxLength: 60 }), (pieces) => {
        const text = pieces.join('');
        const theirs = new SegmentedMessage(text);
        const ours = countSegments(text);
        expect([ours.encoding, ours.segments]).toEqual([theirs.encodingName, theirs.segmentsCount]);
      }),
      { numRuns: 150 },
    );
  });
});

describe('templateSegments', () => {
  const template = ['Hi ', { slot: 'firstName' }, `, ${a(120)} `, { slot: 'link' }] as const;

  it('takes every slot at its longest', () => {
    expect(templateSegments(template, { firstName: 5, link: 29 })).toMatchObject({ encoding: 'GSM-7', segments: 1, units: 160 });
    expect(templateSegments(template, { firstName: 6, link: 29 })).toMatchObject({ segments: 2, units: 161 });
  });

  it('takes a real value with its own characters', () => {
    expect(templateSegments(template, { firstName: 'Łucja', link: 29 })).toMatchObject({
      encoding: 'UCS-2',
      segments: 3,
      culprits: [{ character: 'Ł', position: 3 }],
    });
  });

  it('counts slots that are not given as empty', () => {
    expect(templateSegments(['a', { slot: 'shareLink' }], {})).toMatchObject({ segments: 1, units: 1 });
  });
});
