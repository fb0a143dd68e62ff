//! Splits texts into all their runs of three letters, so that any part of a word can be found.
//!
//! A run that is ended early by white space or a comma is filled up with spaces. So each letter starts exactly one
//! gram, and words of one or two letters are beginnings of grams. Search words never contain white space or commas.

use tantivy::tokenizer::{Token, TokenStream, Tokenizer};

pub(super) const LETTERS: usize = 3;

/// Tokenizer for grams of texts that are folded already.
#[derive(Clone, Debug, Default)]
pub(super) struct GramTokenizer {
    token: Token,
}

pub(super) struct GramStream<'a> {
    rest: std::str::Chars<'a>,
    next_position: usize,
    token: &'a mut Token,
}

impl Tokenizer for GramTokenizer {
    type TokenStream<'a> = GramStream<'a>;

    fn token_stream<'a>(&'a mut self, text: &'a str) -> GramStream<'a> {
        self.token.reset();
        GramStream { rest: text.chars(), next_position: 0, token: &mut self.token }
    }
}

impl TokenStream for GramStream<'_> {
    fn advance(&mut self) -> bool {
        loop {
            let text = self.rest.as_str();
            let Some(letter) = self.rest.next() else { return false };
            let position = self.next_position;
            self.next_position += 1;
            if separates(letter) {
                continue;
            }
            self.token.position = position;
            self.token.text.clear();
            let mut letters = 0;
            for letter in text.chars().take(LETTERS).take_while(|&letter| !separates(letter)) {
                self.token.text.push(letter);
                letters += 1;
            }
            for _ in letters..LETTERS {
                self.token.text.push(' ');
            }
            return true;
        }
    }

    fn token(&self) -> &Token {
        self.token
    }

    fn token_mut(&mut self) -> &mut Token {
        self.token
    }
}

/// The query that finds a word.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Pattern {
    /// Any gram that begins with this text.
    Beginning(String),
    Gram(String),
    /// Grams with their positions in the word, at least two.
    Phrase(Vec<(usize, String)>),
}

impl Pattern {
    pub(super) fn of(word: &str) -> Self {
        let letters: Vec<char> = word.chars().collect();
        if letters.len() < LETTERS {
            return Self::Beginning(word.to_owned());
        }
        if letters.len() == LETTERS {
            return Self::Gram(word.to_owned());
        }
        let mut grams: Vec<(usize, String)> =
            letters.chunks_exact(LETTERS).enumerate().map(|(at, gram)| (at * LETTERS, gram.iter().collect())).collect();
        if !letters.len().is_multiple_of(LETTERS) {
            let last = letters.len() - LETTERS;
            grams.push((last, letters.iter().skip(last).collect()));
        }
        Self::Phrase(grams)
    }
}

fn separates(letter: char) -> bool {
    letter == ',' || letter.is_whitespace()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn grams(text: &str) -> Vec<(usize, String)> {
        let mut tokenizer = GramTokenizer::default();
        let mut stream = tokenizer.token_stream(text);
        let mut grams = Vec::new();
        while stream.advance() {
            grams.push((stream.token().position, stream.token().text.clone()));
        }
        grams
    }

    fn at(grams: &[(usize, &str)]) -> Vec<(usize, String)> {
        grams.iter().map(|&(at, gram)| (at, gram.to_owned())).collect()
    }

    #[test]
    fn each_letter_starts_a_gram() {
        assert_eq!(grams("åbcd"), at(&[(0, "åbc"), (1, "bcd"), (2, "cd "), (3, "d  ")]));
        assert_eq!(grams("ab,\tc"), at(&[(0, "ab "), (1, "b  "), (4, "c  ")]));
        assert_eq!(grams(" , "), []);
    }

    #[test]
    fn long_words_are_phrases_of_grams_that_cover_them() {
        assert_eq!(Pattern::of("ab"), Pattern::Beginning("ab".to_owned()));
        assert_eq!(Pattern::of("abc"), Pattern::Gram("abc".to_owned()));
        assert_eq!(Pattern::of("abcd"), Pattern::Phrase(at(&[(0, "abc"), (1, "bcd")])));
        assert_eq!(Pattern::of("abcdef"), Pattern::Phrase(at(&[(0, "abc"), (3, "def")])));
        assert_eq!(Pattern::of("abcdefgh"), Pattern::Phrase(at(&[(0, "abc"), (3, "def"), (5, "fgh")])));
    }
}
