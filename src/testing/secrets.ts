/** Secrets of every test installation. They stand in a file that imports nothing, so that tools outside of vitest can use them too. */
export const TEST_SECRET_KEYS = 'a:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=';

/** Password of everybody who signs in to a test installation. */
export const PASSWORD = 'correct horse battery staple';
