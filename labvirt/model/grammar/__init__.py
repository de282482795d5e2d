"""RELAX NG read and walked, to say in words what a document does that its grammar forbids."""
