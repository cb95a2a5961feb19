import { Hono } from 'hono';
import { html } from 'hono/html';
import { Problem } from '#platform/errors.ts';
import { endSession } from '#services/access/sessions.ts';
import { createSignInThrottle, signIn } from '#services/access/sign-in.ts';
import type { ConsoleContext, ConsoleDeps, ConsoleEnv } from './env.ts';
import { Form, readForm } from './form.ts';
import { clearSessionCookie, safeNext, sessionToken, setSessionCookie } from './guard.ts';
import { show } from './layout.ts';
import { Pages } from './pages.ts';
import { type FormError, input } from './parts.ts';

function signInPage(c: ConsoleContext, form: Form, errors: FormError[], status?: 401 | 422 | 429): Promise<Response> {
  const ended = form.get('ended') !== '' && errors.length === 0;
  return show(
    c,
    {
      title: 'Sign in',
      narrow: true,
      errors,
      body: html`<h1>Sign in</h1>
        ${ended && html`<p class="note" role="status">You were signed out after a time without use. Sign in to go on.</p>`}
        <form method="post" action="/sign-in" class="card stack" novalidate>
          <input type="hidden" name="next" value="${safeNext(form.get('next'))}">
          ${input({ id: 'email', label: 'E-mail address', type: 'email', value: form.get('email'), autocomplete: 'username', errors })}
          ${input({ id: 'password', label: 'Password', type: 'password', value: '', autocomplete: 'current-password', errors })}
          <div><button class="btn main wide">Sign in</button></div>
        </form>`,
    },
    status,
  );
}

/** `GET POST /sign-in`, which are open to everybody. */
export function signInRoutes({ deps, clientIp }: ConsoleDeps): Hono<ConsoleEnv> {
  const throttle = createSignInThrottle();
  return new Hono<ConsoleEnv>()
    .get('/sign-in', (c) => signInPage(c, Form.of(c.req.query()), []))
    .post('/sign-in', async (c) => {
      const form = await readForm(c);
      const email = form.get('email');
      const password = form.exact('password');
      const missing: FormError[] = [
        ...(email === '' ? [{ id: 'email', text: 'Enter your e-mail address' }] : []),
        ...(password === '' ? [{ id: 'password', text: 'Enter your password' }] : []),
      ];
      if (missing.length > 0) return signInPage(c, form, missing, 422);
      try {
        const { token } = await signIn(deps, throttle, { email, password, ip: clientIp(c), replaces: sessionToken(c, deps) || undefined });
        setSessionCookie(c, deps, token);
        return c.redirect(safeNext(form.get('next')), 303);
      } catch (problem) {
        if (!(problem instanceof Problem) || (problem.status !== 401 && problem.status !== 429)) throw problem;
        if (problem.status === 429) c.header('retry-after', String(problem.extra['retryAfterSeconds']));
        return signInPage(c, form, [{ id: 'email', text: problem.message }], problem.status);
      }
    });
}

/** `POST /sign-out`, for everybody who is signed in. */
export const signOutPages = ({ deps }: ConsoleDeps): Pages =>
  new Pages().post('/sign-out', 'read', async (c) => {
    await endSession(deps, c.var.session, sessionToken(c, deps));
    clearSessionCookie(c, deps);
    return c.redirect('/sign-in', 303);
  });
