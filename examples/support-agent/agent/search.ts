import articles from './knowledge.json';

export interface Article {
  readonly id: string;
  readonly title: string;
  readonly text: string;
}

/** Articles that share most words with the query, best first; the whole of the knowledge is in a file beside this one. */
export function searchArticles(query: string, limit: number): readonly Article[] {
  const wanted = wordsOf(query);
  return articles
    .map((article) => {
      const inTitle = wordsOf(article.title);
      const inText = wordsOf(article.text);
      const hits = [...wanted].reduce((sum, word) => sum + (inTitle.has(word) ? 2 : inText.has(word) ? 1 : 0), 0);
      return { article, hits };
    })
    .sort((a, b) => b.hits - a.hits)
    .slice(0, limit)
    .map(({ article }) => article);
}

/** Words of four letters and more, by their first five: `returned` finds `returning`. */
function wordsOf(text: string): ReadonlySet<string> {
  return new Set((text.toLowerCase().match(/[a-z]{4,}/g) ?? []).map((word) => word.slice(0, 5)));
}
