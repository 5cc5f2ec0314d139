/** The ways into Discern from a program, each a whole thing to run. */

export interface Snippet {
  readonly name: string;
  readonly note: string;
  readonly code: string;
}

export function snippets(origin: string): readonly Snippet[] {
  return [
    {
      name: 'curl',
      note: 'Any language: one request with a key.',
      code: [
        `curl ${origin}/api/v1/analyze \\`,
        `  -H "Authorization: Bearer $DISCERN_KEY" \\`,
        `  -H 'Content-Type: application/json' \\`,
        `  -d '{"text": "I would go again tomorrow."}'`,
      ].join('\n'),
    },
    {
      name: 'Python',
      note: 'In the same process: no server, no key.',
      code: [
        'from discern import pipeline',
        '',
        'mood = pipeline("sentiment-analysis")',
        'print(mood("I would go again tomorrow."))',
      ].join('\n'),
    },
    {
      name: 'Flask',
      note: 'In a Flask site: one blueprint, which answers POST /ai/analyze.',
      code: [
        'from flask import Flask',
        'import discern.flask',
        'from discern.engine.local import LocalEngine',
        '',
        'app = Flask(__name__)',
        'mood = discern.flask.blueprint(LocalEngine(), url_prefix="/ai")',
        'app.register_blueprint(mood)',
      ].join('\n'),
    },
    {
      name: 'Shell',
      note: 'In a terminal: a sentence, or a table with a progress bar.',
      code: [
        'discern analyze "I would go again tomorrow."',
        'discern analyze reviews.csv --column text',
      ].join('\n'),
    },
  ];
}
