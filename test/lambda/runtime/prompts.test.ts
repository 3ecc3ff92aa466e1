import { renderPrompt } from '../../../lambda/runtime/prompts';

const prompts = { answer: 'Answer {{question}} from {{ notes }} in {{count}} lines.', plain: 'No variables.' };

test('fills in text, numbers and truth values, with or without spaces in the braces', () => {
  expect(renderPrompt(prompts, 'answer', { question: 'why', notes: 'these', count: 3 })).toBe(
    'Answer why from these in 3 lines.',
  );
});

test('takes values as they are: placeholders and dollar signs inside of them mean nothing', () => {
  expect(renderPrompt(prompts, 'answer', { question: '{{notes}} $& $1', notes: 'N', count: 1 })).toBe(
    'Answer {{notes}} $& $1 from N in 1 lines.',
  );
});

test('ignores a variable that the prompt does not use', () => {
  expect(renderPrompt(prompts, 'plain', { question: 'x' })).toBe('No variables.');
});

test('refuses an unknown prompt and names those there are', () => {
  expect(() => renderPrompt(prompts, 'anwser')).toThrow('no prompt "anwser"; it has "answer", "plain"');
  expect(() => renderPrompt(prompts, 'constructor')).toThrow('no prompt "constructor"');
});

test('refuses a missing variable and names prompt, variable and what was given', () => {
  expect(() => renderPrompt(prompts, 'answer', { question: 'x', count: 1 })).toThrow(
    'prompt "answer" has the placeholder {{notes}}, for which no value was given; given were "question", "count"',
  );
});
