/** What we text back. All letters are in GSM-7, so that a reply never costs double. */
export interface InboundWords {
  readonly noted: (answer: string, when: string) => string;
  readonly inMinutes: (minutes: number) => string;
  /** `about` is, here and below, the title or the first words of the message that is meant; '' where it has none. */
  readonly late: (tenant: string, about: string) => string;
  readonly lateUnread: (tenant: string, about: string) => string;
  readonly unclear: (hint: string, about: string) => string;
  readonly nearStop: string;
  readonly help: (tenant: string) => string;
  readonly stopped: (tenant: string) => string;
  readonly started: (tenant: string) => string;
  readonly joined: (tenant: string) => string;
  readonly joinClosed: string;
  readonly joinStopped: string;
}

const named = (about: string): string => about && ` ("${about}")`;

const en: InboundWords = {
  noted: (answer, when) => `Noted: ${answer}, ${when}.`,
  inMinutes: (minutes) => `in ${minutes} min`,
  late: (tenant, about) => `Thank you. This call by ${tenant}${named(about)} has ended. Your answer was kept, but perhaps nobody acts on it any more.`,
  lateUnread: (tenant, about) => `Thank you. This call by ${tenant}${named(about)} has ended. A person can still read your text.`,
  unclear: (hint, about) => `We could not read that as an answer${about && ` to "${about}"`}; a person will. To be counted at once, reply ${hint}.`,
  nearStop: 'A person will read this. To end all texts from this number at once, reply STOP.',
  help: (tenant) => `${tenant} sends messages by this number to people who signed up. Reply STOP to end them. Message and data rates may apply.`,
  stopped: (tenant) => `You will get no more texts from ${tenant} by this number. Reply START to get them again.`,
  started: (tenant) => `You will get texts from ${tenant} again. Reply STOP to end them.`,
  joined: (tenant) => `You have joined ${tenant}. Reply STOP to end texts.`,
  joinClosed: 'This call has ended, so nobody can join it any more.',
  joinStopped: 'You ended texts from this number. Reply START first, then join again.',
};

const de: InboundWords = {
  noted: (answer, when) => `Notiert: ${answer}, ${when}.`,
  inMinutes: (minutes) => `in ${minutes} Min.`,
  late: (tenant, about) =>
    `Danke. Dieser Aufruf von ${tenant}${named(about)} ist beendet. Ihre Antwort ist gespeichert, aber vielleicht handelt niemand mehr danach.`,
  lateUnread: (tenant, about) => `Danke. Dieser Aufruf von ${tenant}${named(about)} ist beendet. Ein Mensch kann Ihren Text noch lesen.`,
  unclear: (hint, about) => `Das konnten wir nicht als Antwort${about && ` auf "${about}"`} lesen; ein Mensch tut es. Um sofort gezählt zu werden: ${hint}.`,
  nearStop: 'Ein Mensch liest dies. Um alle SMS dieser Nummer sofort zu beenden, antworten Sie STOP.',
  help: (tenant) => `${tenant} schreibt über diese Nummer an Angemeldete. Mit STOP beenden Sie das.`,
  stopped: (tenant) => `Sie erhalten von ${tenant} keine SMS mehr über diese Nummer. Mit START wieder.`,
  started: (tenant) => `Sie erhalten wieder SMS von ${tenant}. Mit STOP beenden Sie das.`,
  joined: (tenant) => `Sie sind bei ${tenant} dabei. Mit STOP beenden Sie die SMS.`,
  joinClosed: 'Dieser Aufruf ist beendet, man kann nicht mehr beitreten.',
  joinStopped: 'Sie haben SMS dieser Nummer beendet. Antworten Sie erst START, dann noch einmal.',
};

const fr: InboundWords = {
  noted: (answer, when) => `Noté : ${answer}, ${when}.`,
  inMinutes: (minutes) => `dans ${minutes} min`,
  late: (tenant, about) => `Merci. Cet appel de ${tenant}${named(about)} est terminé. Votre réponse est gardée, mais peut-etre que personne n'y donnera suite.`,
  lateUnread: (tenant, about) => `Merci. Cet appel de ${tenant}${named(about)} est terminé. Quelqu'un peut encore lire votre texte.`,
  unclear: (hint, about) =>
    `Nous n'avons pas compris cette réponse${about && ` à "${about}"`} ; quelqu'un la lira. Pour compter tout de suite, répondez ${hint}.`,
  nearStop: "Quelqu'un lira ceci. Pour arreter tous les SMS de ce numéro, répondez STOP.",
  help: (tenant) => `${tenant} écrit par ce numéro aux personnes inscrites. Répondez STOP pour arreter.`,
  stopped: (tenant) => `Vous ne recevrez plus de SMS de ${tenant} par ce numéro. START pour reprendre.`,
  started: (tenant) => `Vous recevrez de nouveau les SMS de ${tenant}. STOP pour arreter.`,
  joined: (tenant) => `Vous avez rejoint ${tenant}. STOP pour arreter les SMS.`,
  joinClosed: "Cet appel est terminé, on ne peut plus s'y joindre.",
  joinStopped: "Vous avez arreté les SMS de ce numéro. Répondez d'abord START.",
};

const es: InboundWords = {
  noted: (answer, when) => `Anotado: ${answer}, ${when}.`,
  inMinutes: (minutes) => `en ${minutes} min`,
  late: (tenant, about) => `Gracias. Esta llamada de ${tenant}${named(about)} ha terminado. Su respuesta se guarda, pero quizas ya nadie actue.`,
  lateUnread: (tenant, about) => `Gracias. Esta llamada de ${tenant}${named(about)} ha terminado. Alguien puede leer su texto.`,
  unclear: (hint, about) => `No pudimos leer eso como respuesta${about && ` a "${about}"`}; alguien lo leera. Para contar ya, responda ${hint}.`,
  nearStop: 'Alguien leera esto. Para no recibir mas SMS de este numero, responda STOP.',
  help: (tenant) => `${tenant} escribe por este numero a quienes se apuntaron. Responda STOP para terminar.`,
  stopped: (tenant) => `No recibira mas SMS de ${tenant} por este numero. START para volver.`,
  started: (tenant) => `Recibira de nuevo SMS de ${tenant}. STOP para terminar.`,
  joined: (tenant) => `Se ha unido a ${tenant}. STOP para no recibir SMS.`,
  joinClosed: 'Esta llamada ha terminado, ya no es posible unirse.',
  joinStopped: 'Usted termino los SMS de este numero. Responda primero START.',
};

const CATALOGUE: Readonly<Record<string, InboundWords>> = { en, de, fr, es };

export const inboundWords = (locale: string | null): InboundWords => CATALOGUE[(locale?.split(/[-_]/)[0] ?? '').toLowerCase()] ?? en;
