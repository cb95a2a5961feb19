import type { Wording } from '#schemas/wording.ts';

/**
 * Words that deny a drill, over a text that `foldWords` has made plain: the languages that Muster speaks itself and their
 * neighbours. Of other words nobody can say what they deny. The database has the same list in `denies_drill`, since the mark
 * decides there whether the message leaves.
 */
export const DENIALS: readonly string[] = [
  // "this is not just a drill", "it isn't an exercise", "not part of any test"; never "do not drill".
  'not(?: just| only| really| simply| merely| even| another)*(?: part of)? (?:an?|any|the) (?:drill|exercise|test|rehearsal|simulation)',
  '(?:is|its|are) (?:not|no|never)(?: just| only| really)* (?:drill|exercise|test|rehearsal|simulation)',
  '(?:isn ?t|ain ?t|wasn ?t|isnt|aint|wasnt)(?: just| only| really| part of)*(?: an?| any| the)? (?:drill|exercise|test|rehearsal|simulation)',
  'no (?:drill|exercise)',
  'not an? ?drill',
  'nota?n?(?:drill|exercise)',
  'kein(?:e|er|en|em)?(?: blosse| reine)? (?:ubung|uebung|ubungsalarm|probe|probealarm|test|testalarm|fehlalarm)',
  'nicht (?:nur |bloss )?(?:eine?|um eine?) (?:ubung|uebung|probe|test)',
  '(?:nest|n est|cest|c est|est)? ?pas (?:qu )?(?:un|une|d) (?:simple )?(?:exercice|simulation|test|entrainement)',
  'no es (?:solo )?(?:un|una|ningun|ninguna|parte de un) (?:simulacro|ejercicio|prueba|ensayo)',
  'no es (?:simulacro|ejercicio|prueba)',
  'non e (?:un |una )?(?:esercitazione|unesercitazione|prova|simulazione|test)',
  'nao e (?:um |uma )?(?:exercicio|simulacro|simulado|teste|treino)',
  '(?:geen|niet een) (?:oefening|oefenalarm|test)',
];

const DENIAL = new RegExp(`(?:^| )(?:${DENIALS.join('|')})(?= |$)`);

/** Letters of other scripts, and digits, that look like Latin letters: "NОT A DRІLL", "n0t a dr1ll". */
export const LOOK_ALIKES = { from: 'абвеікмнорсстухѕјԁгԛԝαβεηικμνορτυχ013457', to: 'abbeikmhopcctyxsjdrqwabenikmvoptuxoieast' } as const;
const TWINS = new Map([...LOOK_ALIKES.from].map((letter, i) => [letter, [...LOOK_ALIKES.to][i] ?? letter]));

/**
 * A text as a tired person reads it: lower case, without accents, invisible characters and look-alikes, words apart by one
 * space, and letters that stand alone put together ("n o t  a  d r i l l" is "notadrill").
 */
export function foldWords(text: string): string {
  const letters = text
    .normalize('NFKD')
    .replace(/[\p{M}\p{Default_Ignorable_Code_Point}]/gu, '')
    .toLowerCase()
    .replace(/[^a-z ]/g, (letter) => TWINS.get(letter) ?? letter);
  // An apostrophe stands inside a word.
  const words = letters.replace(/['’ʼ`´]/g, '').replace(/[^a-z]+/g, ' ');
  return words.replace(/(?<=(?:^| )[a-z]) (?=[a-z](?: |$))/g, '').trim();
}

/** Whether these words say that it is no drill. */
export const deniesDrill = (words: string): boolean => DENIAL.test(foldWords(words));

interface DrillWords {
  readonly drill: boolean;
  readonly title?: string | null | undefined;
  readonly text: Readonly<Record<string, string>>;
  readonly said?: Wording | null;
  readonly answers?: readonly { readonly label: string }[] | undefined;
  /** The organisation, whose name stands in every message. */
  readonly tenantName?: string | undefined;
}

/** A drill says so itself, in every channel, and may not deny it anywhere: not in its title, nor on a button. */
export function drillProblems({ drill, title, text, said, answers = [], tenantName }: DrillWords): { field: string; code: string; detail: string }[] {
  if (!drill) return [];
  const fields = [
    ...Object.entries(text).map(([locale, words]) => [`text.${locale}`, words] as const),
    ...Object.values(said ?? {}).flatMap((parts) => Object.entries(parts).map(([part, words]) => [`says.${part}`, words] as const)),
    ...answers.map(({ label }, i) => [`answers.${i}.label`, label] as const),
    ['title', title ?? ''] as const,
  ];
  const denied = fields
    .filter(([, words]) => deniesDrill(words))
    .map(([field]) => ({ field, code: 'drill_text', detail: 'a drill must not say that it is none, such as "this is not a drill"' }));
  if (tenantName === undefined || !deniesDrill(tenantName)) return denied;
  return [...denied, { field: 'drill', code: 'drill_text', detail: 'the name of the organisation says that it is no drill, and stands in every message' }];
}
