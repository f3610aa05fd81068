"""Documentation: the Hub's library docs, Gradio's, and the Hub's REST interface."""
