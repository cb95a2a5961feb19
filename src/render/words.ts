/** Our own words in a message. Those that an SMS may have stay inside GSM-7, so that they never turn a text into UCS-2. */
export interface Words {
  /** Always begins with EXERCISE, the word that everybody on the receiving side looks for. */
  readonly exercise: string;
  readonly correction: string;
  readonly allClear: string;
  readonly smsReply: string;
  readonly yourAnswer: string;
  readonly answerHere: string;
  readonly moreHere: string;
  readonly open: string;
  readonly passOn: string;
  readonly validUntil: string;
  /** The words before what a message must say and its text does not, inside GSM-7. What to do needs no word before it. */
  readonly said: Readonly<Record<'who' | 'where' | 'issuer' | 'until', string>>;
  readonly reason: (tenant: string) => string;
  readonly linksBegin: (url: string) => string;
  readonly unsubscribe: string;
}

const en: Words = {
  exercise: 'EXERCISE: ',
  correction: 'CORRECTION: ',
  allClear: 'ALL CLEAR: ',
  smsReply: 'Reply ',
  yourAnswer: 'Your answer',
  answerHere: 'Answer here:',
  moreHere: 'Read more here:',
  open: 'Open the message',
  passOn: 'Pass it on:',
  validUntil: 'Valid until',
  said: { who: 'For: ', where: 'Where: ', issuer: 'From: ', until: 'Until ' },
  reason: (tenant) => `You receive this because ${tenant} has this address for messages to you.`,
  linksBegin: (url) => `Our links begin with ${url}/.`,
  unsubscribe: 'Unsubscribe',
};

const de: Words = {
  exercise: 'EXERCISE (ÜBUNG): ',
  correction: 'KORREKTUR: ',
  allClear: 'ENTWARNUNG: ',
  smsReply: 'Antwort: ',
  yourAnswer: 'Ihre Antwort',
  answerHere: 'Hier antworten:',
  moreHere: 'Mehr dazu hier:',
  open: 'Nachricht öffnen',
  passOn: 'Weitersagen:',
  validUntil: 'Gültig bis',
  said: { who: 'Für: ', where: 'Wo: ', issuer: 'Von: ', until: 'Bis ' },
  reason: (tenant) => `Sie erhalten dies, weil diese Adresse bei ${tenant} für Nachrichten an Sie hinterlegt ist.`,
  linksBegin: (url) => `Unsere Links beginnen mit ${url}/.`,
  unsubscribe: 'Abbestellen',
};

const fr: Words = {
  exercise: 'EXERCISE (EXERCICE) : ',
  correction: 'RECTIFICATIF : ',
  allClear: "FIN D'ALERTE : ",
  smsReply: 'Répondez ',
  yourAnswer: 'Votre réponse',
  answerHere: 'Répondez ici :',
  moreHere: 'En savoir plus :',
  open: 'Ouvrir le message',
  passOn: 'Faites passer :',
  validUntil: "Valable jusqu'au",
  said: { who: 'Pour : ', where: 'Lieu : ', issuer: 'De : ', until: "Jusqu'au " },
  reason: (tenant) => `Vous recevez ce message car ${tenant} possède cette adresse pour vous écrire.`,
  linksBegin: (url) => `Nos liens commencent par ${url}/.`,
  unsubscribe: 'Se désabonner',
};

const es: Words = {
  exercise: 'EXERCISE (SIMULACRO): ',
  // It stands without its accent, since a capital Ó is not in GSM-7 and would double the price of the SMS.
  correction: 'CORRECCION: ',
  allClear: 'FIN DE LA ALERTA: ',
  smsReply: 'Responda ',
  yourAnswer: 'Su respuesta',
  answerHere: 'Responda aquí:',
  moreHere: 'Más información:',
  open: 'Abrir el mensaje',
  passOn: 'Páselo:',
  validUntil: 'Válido hasta',
  said: { who: 'Para: ', where: 'Lugar: ', issuer: 'De: ', until: 'Hasta ' },
  reason: (tenant) => `Recibe este mensaje porque ${tenant} tiene esta dirección para escribirle.`,
  linksBegin: (url) => `Nuestros enlaces empiezan por ${url}/.`,
  unsubscribe: 'Darse de baja',
};

const WORDS: Readonly<Record<string, Words>> = { en, de, fr, es };

/** Languages that Muster itself speaks. */
export const LANGUAGES = Object.keys(WORDS);

/**
 * The words of a language, in English where Muster does not speak it.
 * @param locale a BCP 47 tag, of which only the language part counts
 */
export const wordsFor = (locale: string): Words => WORDS[languageOf(locale)] ?? en;

export const languageOf = (locale: string): string => (locale.split(/[-_]/)[0] ?? '').toLowerCase();
