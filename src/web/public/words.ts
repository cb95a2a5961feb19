/** Muster's own words on the public pages. */
export interface PageWords {
  readonly from: string;
  readonly validUntil: string;
  readonly issued: string;
  readonly exercise: string;
  readonly yourAnswer: string;
  readonly recorded: string;
  readonly change: string;
  readonly seen: string;
  readonly eta: string;
  readonly etaHint: string;
  readonly note: string;
  readonly more: string;
  /** Time and note are sent with an answer, since they have no button of their own. */
  readonly thenPress: string;
  readonly passOn: string;
  /** How to get no more campaigns. The page has no link for it, since it does not know by which channel they came. */
  readonly leave: string;
  readonly stopped: string;
  /** What is added on a page where people can answer. */
  readonly stoppedAnswer: string;
  readonly late: string;
  readonly lateAnswer: string;
  readonly correction: string;
  readonly allClear: string;
  readonly before: string;
  readonly tryAgain: string;
  readonly notOffered: string;
  readonly notFound: string;
  readonly over: string;
  readonly erased: string;
  /** `wait`: "10 minutes" in this language. */
  readonly tooMany: (wait: string) => string;
  /** Said when the form or its address could not be read. */
  readonly unreadable: string;
  /** Said when the database is away, or something failed. */
  readonly notNow: string;
  readonly robots: string;
}

const en: PageWords = {
  from: 'From',
  validUntil: 'Valid until',
  issued: 'Issued',
  exercise: 'EXERCISE. This is a drill.',
  yourAnswer: 'Your answer',
  recorded: 'recorded',
  change: 'You can change it until the link ends:',
  seen: 'I have read this',
  eta: 'When can you be there?',
  etaHint: 'minutes, or a time such as 13:45',
  note: 'A few words',
  more: 'Add a time or a note',
  thenPress: 'Fill this in first, then press your answer above.',
  passOn: 'Pass it on',
  leave: 'No more of these messages? Reply STOP to the text message, or use the link at the end of the e-mail.',
  stopped: 'This message was stopped.',
  stoppedAnswer: 'Answers are still recorded.',
  late: 'This has ended.',
  lateAnswer: 'Your answer is still recorded, but perhaps nobody is acting on it any more.',
  correction: 'CORRECTION',
  allClear: 'ALL CLEAR',
  before: 'What was said before',
  tryAgain: 'This page had grown too old. Nothing was recorded: please press your answer once more.',
  notOffered: 'That is none of the answers to this message. Nothing was recorded: please press one of these.',
  notFound: 'There is nothing at this address. If you came by a link, check that it is whole.',
  over: 'This link has ended.',
  erased: 'This link is no longer in use.',
  tooMany: (wait) => `Too many attempts. Please try again in ${wait}.`,
  unreadable: 'This could not be read, so nothing was done. Please go back, load the page again and try once more.',
  notNow: 'This does not work at the moment. Please try again in a minute; if you were sending something, send it again.',
  robots: 'Not for people: this link only catches robots',
};

const de: PageWords = {
  from: 'Von',
  validUntil: 'Gültig bis',
  issued: 'Ausgegeben',
  exercise: 'EXERCISE (ÜBUNG). Dies ist eine Übung.',
  yourAnswer: 'Ihre Antwort',
  recorded: 'gespeichert',
  change: 'Sie können sie ändern, solange der Link gilt:',
  seen: 'Ich habe das gelesen',
  eta: 'Wann können Sie da sein?',
  etaHint: 'Minuten oder eine Uhrzeit wie 13:45',
  note: 'Ein paar Worte',
  more: 'Zeit oder Bemerkung dazu',
  thenPress: 'Erst ausfüllen, dann oben die Antwort drücken.',
  passOn: 'Weitersagen',
  leave: 'Keine solchen Nachrichten mehr? Antworten Sie STOP auf die SMS, oder nehmen Sie den Link am Ende der E-Mail.',
  stopped: 'Diese Nachricht wurde gestoppt.',
  stoppedAnswer: 'Antworten werden weiter gespeichert.',
  late: 'Dies ist vorbei.',
  lateAnswer: 'Ihre Antwort wird noch gespeichert, aber vielleicht handelt niemand mehr danach.',
  correction: 'KORREKTUR',
  allClear: 'ENTWARNUNG',
  before: 'Was zuvor gesagt wurde',
  tryAgain: 'Diese Seite war zu alt. Nichts wurde gespeichert: bitte drücken Sie Ihre Antwort noch einmal.',
  notOffered: 'Diese Antwort gibt es hier nicht. Nichts wurde gespeichert: bitte drücken Sie eine von diesen.',
  notFound: 'Unter dieser Adresse gibt es nichts. Wenn Sie über einen Link kamen, prüfen Sie, ob er vollständig ist.',
  over: 'Dieser Link ist abgelaufen.',
  erased: 'Dieser Link wird nicht mehr verwendet.',
  tooMany: (wait) => `Zu viele Versuche. Bitte in ${wait} noch einmal.`,
  unreadable: 'Das konnte nicht gelesen werden, also wurde nichts getan. Bitte gehen Sie zurück, laden Sie die Seite neu und versuchen Sie es noch einmal.',
  notNow: 'Das geht im Augenblick nicht. Bitte versuchen Sie es in einer Minute wieder; was Sie senden wollten, senden Sie bitte noch einmal.',
  robots: 'Nicht für Menschen: dieser Link fängt nur Roboter',
};

const fr: PageWords = {
  from: 'De',
  validUntil: "Valable jusqu'au",
  issued: 'Émis',
  exercise: 'EXERCISE (EXERCICE). Ceci est un exercice.',
  yourAnswer: 'Votre réponse',
  recorded: 'enregistrée',
  change: 'Vous pouvez la changer tant que le lien est valable :',
  seen: "J'ai lu ceci",
  eta: 'Quand pouvez-vous être là ?',
  etaHint: 'minutes, ou une heure comme 13:45',
  note: 'Quelques mots',
  more: 'Ajouter une heure ou une remarque',
  thenPress: 'Remplissez d’abord ceci, puis appuyez sur votre réponse ci-dessus.',
  passOn: 'Faites passer',
  leave: "Plus de messages de ce genre ? Répondez STOP au SMS, ou utilisez le lien à la fin de l'e-mail.",
  stopped: 'Ce message a été arrêté.',
  stoppedAnswer: 'Les réponses sont encore enregistrées.',
  late: "C'est terminé.",
  lateAnswer: "Votre réponse est encore enregistrée, mais peut-être que personne n'y donnera suite.",
  correction: 'RECTIFICATIF',
  allClear: "FIN D'ALERTE",
  before: 'Ce qui avait été dit',
  tryAgain: "Cette page était trop ancienne. Rien n'a été enregistré : appuyez encore une fois sur votre réponse.",
  notOffered: "Cette réponse n'existe pas ici. Rien n'a été enregistré : appuyez sur l'une de celles-ci.",
  notFound: "Il n'y a rien à cette adresse. Si vous avez suivi un lien, vérifiez qu'il est complet.",
  over: 'Ce lien a expiré.',
  erased: "Ce lien n'est plus utilisé.",
  tooMany: (wait) => `Trop d'essais. Réessayez dans ${wait}.`,
  unreadable: "Ceci n'a pas pu être lu, et rien n'a été fait. Revenez en arrière, rechargez la page et réessayez.",
  notNow: 'Cela ne marche pas en ce moment. Réessayez dans une minute ; si vous envoyiez quelque chose, envoyez-le de nouveau.',
  robots: "Pas pour les humains : ce lien n'attrape que les robots",
};

const es: PageWords = {
  from: 'De',
  validUntil: 'Válido hasta',
  issued: 'Emitido',
  exercise: 'EXERCISE (SIMULACRO). Esto es un simulacro.',
  yourAnswer: 'Su respuesta',
  recorded: 'registrada',
  change: 'Puede cambiarla mientras el enlace sea válido:',
  seen: 'Lo he leído',
  eta: '¿Cuándo puede estar allí?',
  etaHint: 'minutos, o una hora como 13:45',
  note: 'Unas palabras',
  more: 'Añadir una hora o una nota',
  thenPress: 'Rellene esto primero y luego pulse su respuesta arriba.',
  passOn: 'Páselo',
  leave: '¿No quiere más mensajes como este? Responda STOP al SMS, o use el enlace al final del correo.',
  stopped: 'Este mensaje se detuvo.',
  stoppedAnswer: 'Las respuestas aún se registran.',
  late: 'Esto ha terminado.',
  lateAnswer: 'Su respuesta aún se registra, pero quizá ya nadie actúe.',
  correction: 'CORRECCIÓN',
  allClear: 'FIN DE LA ALERTA',
  before: 'Lo que se dijo antes',
  tryAgain: 'Esta página era demasiado antigua. No se registró nada: pulse su respuesta otra vez.',
  notOffered: 'Esa respuesta no existe aquí. No se registró nada: pulse una de estas.',
  notFound: 'No hay nada en esta dirección. Si llegó por un enlace, compruebe que está completo.',
  over: 'Este enlace ha terminado.',
  erased: 'Este enlace ya no se usa.',
  tooMany: (wait) => `Demasiados intentos. Inténtelo en ${wait}.`,
  unreadable: 'Esto no se pudo leer y no se hizo nada. Vuelva atrás, cargue la página de nuevo e inténtelo otra vez.',
  notNow: 'Esto no funciona en este momento. Inténtelo de nuevo en un minuto; si estaba enviando algo, envíelo otra vez.',
  robots: 'No es para personas: este enlace solo atrapa robots',
};

const CATALOGUE: Readonly<Record<string, PageWords>> = { en, de, fr, es };
const RTL = new Set(['ar', 'he', 'fa', 'ur', 'ps', 'dv', 'yi', 'ckb', 'sd', 'ug']);

const languageOf = (locale: string): string => (locale.split(/[-_]/)[0] ?? '').toLowerCase();

/** Tells the language in which Muster itself speaks to this reader: their own where Muster knows it, else English. */
export const pageLanguage = (locale: string): string => (languageOf(locale) in CATALOGUE ? languageOf(locale) : 'en');
/** The sentence of a 429. It tells in how many minutes another try is worth it, rounded up. */
export const tooManyText = (locale: string, seconds: number): string =>
  pageWords(locale).tooMany(
    new Intl.NumberFormat(pageLanguage(locale), { style: 'unit', unit: 'minute', unitDisplay: 'long' }).format(Math.max(1, Math.ceil(seconds / 60))),
  );
export const pageWords = (locale: string): PageWords => CATALOGUE[languageOf(locale)] ?? en;
export const directionOf = (locale: string): 'rtl' | 'ltr' => (RTL.has(languageOf(locale)) ? 'rtl' : 'ltr');
