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
      note: 'In a Flask site: one blueprint, which answers POST /analyze.',
      code: [
        'from flask import Flask',
        'from discern.flask import blueprint',
        '',
        'app = Flask(__name__)',
        'app.register_blueprint(blueprint())',
      ].join('\n'),
    },
    {
      name: 'Shell',
      note: 'From a terminal: a sentence, a file, or a stream.',
      code: [
        'discern analyze "I would go again tomorrow."',
        'discern analyze --file reviews.csv --column text --output moods.csv',
      ].join('\n'),
    },
  ];
}
