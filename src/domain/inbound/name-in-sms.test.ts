import { expect, test } from 'vitest';
import { inboundWords } from './inbound-words.ts';
import { nameInSms } from './name-in-sms.ts';
import { countSegments } from '#domain/message/segments.ts';

const unclear = (locale: string, hint: string) => (name: string) => inboundWords(locale).unclear(hint, name);

test.each(['en', 'de', 'fr', 'es'])('%s: a name stands whole where it fits, and short where it does not, in one SMS', (locale) => {
  const short = nameInSms('Flood', unclear(locale, '1 Yes, 2 No'));
  expect(short).toContain('"Flood"');
  expect(countSegments(short)).toMatchObject({ encoding: 'GSM-7', segments: 1 });
  const long = nameInSms('Sandbags are needed at the harbour before the tide comes in tonight', unclear(locale, '1 Yes, 2 No'));
  expect(long).toMatch(/"Sandbags [a-z ]*\.\.\."/);
  expect(countSegments(long)).toMatchObject({ encoding: 'GSM-7', segments: 1 });
});

test('letters outside the SMS alphabet are written plainly where that can be', () => {
  expect(nameInSms('“Forêt” – l’été…', unclear('fr', '1 Oui'))).toContain("\"'Foret' - l'été...\"");
  expect(nameInSms('منطقة الميناء', unclear('ar', '1 Yes'))).toContain('"منطقة الميناء"');
});

test('where the answers fill the SMS, a name that can be known again is worth a second one', () => {
  const said = nameInSms('Sandbags are needed at the harbour', unclear('en', '1 I am at home and safe, 2 I need somebody to come and help me'));
  expect(said).toContain('"Sandbags are needed at the...');
  expect(countSegments(said).segments).toBe(2);
});

test('without a name nothing is named, and no empty quotes are left', () => {
  expect(nameInSms(' ', unclear('en', '1 Yes'))).toBe('We could not read that as an answer; a person will. To be counted at once, reply 1 Yes.');
});
