import { expect, test } from 'vitest';
import { DENYING, HARMLESS } from '#testing/drill-words.ts';
import { deniesDrill, drillProblems, LOOK_ALIKES } from './drill-text.ts';

test('every look-alike has its letter', () => {
  expect([...LOOK_ALIKES.from].length).toBe([...LOOK_ALIKES.to].length);
});

test.each(DENYING)('a drill may not say: %s', (words) => {
  expect(drillProblems({ drill: true, text: { en: 'Go to the hall.', xx: words } })).toMatchObject([{ field: 'text.xx', code: 'drill_text' }]);
  expect(drillProblems({ drill: true, title: words, text: { en: 'Go to the hall.' } })).toMatchObject([{ field: 'title' }]);
  expect(drillProblems({ drill: true, answers: [{ label: 'Yes' }, { label: words }], text: { en: 'Go' } })).toMatchObject([{ field: 'answers.1.label' }]);
  expect(drillProblems({ drill: true, said: { en: { who: words } }, text: { en: 'Go' } })).toMatchObject([{ field: 'says.who' }]);
  expect(drillProblems({ drill: true, tenantName: words, text: { en: 'Go' } })).toMatchObject([{ field: 'drill' }]);
  expect(drillProblems({ drill: false, title: words, text: { en: words }, answers: [{ label: words }], tenantName: words })).toEqual([]);
});

test.each(HARMLESS)('and may say: %s', (words) => {
  expect(deniesDrill(words)).toBe(false);
});
