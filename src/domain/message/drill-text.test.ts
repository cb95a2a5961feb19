import { expect, test } from 'vitest';
import { drillProblems } from './drill-text.ts';

test.each([
  'THIS IS NOT A DRILL',
  'This is not  an exercise.',
  'Dies ist keine Übung!',
  'Das ist keine Probe',
  "Ceci n'est pas un exercice",
  'Esto no es un simulacro',
])('a drill may not say: %s', (words) => {
  expect(drillProblems({ drill: true, text: { en: 'Go to the hall.', xx: words } })).toMatchObject([{ field: 'text.xx', code: 'drill_text' }]);
  expect(drillProblems({ drill: true, title: words, text: { en: 'Go to the hall.' } })).toMatchObject([{ field: 'title' }]);
  expect(drillProblems({ drill: false, title: words, text: { en: words } })).toEqual([]);
});

test.each(['This is a drill', 'Do not drill through the wall', 'Keine Panik: Übung', 'Ceci est un exercice'])('and may say: %s', (words) => {
  expect(drillProblems({ drill: true, title: words, text: { en: words } })).toEqual([]);
});
