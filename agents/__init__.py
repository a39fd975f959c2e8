"""The sample project: a customer support agent in several shapes."""
