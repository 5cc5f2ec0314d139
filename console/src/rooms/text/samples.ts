/** Texts to try, written for this console; each leans another way. */
export const SAMPLES: readonly { readonly name: string; readonly text: string }[] = [
  {
    name: 'A good evening',
    text: 'We stayed three hours longer than planned and loved every minute.',
  },
  {
    name: 'A plain notice',
    text: 'The library opens at nine on weekdays and at ten on Saturdays.',
  },
  {
    name: 'A bad delivery',
    text: 'Two weeks late, one leg missing, and still no answer to my letters.',
  },
  {
    name: 'Both at once',
    text: 'The view is wonderful. The room smelled of damp and the heating never worked.',
  },
];
