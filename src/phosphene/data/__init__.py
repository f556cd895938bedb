"""Text, pictures and questions: readers, vocabulary, batches."""
