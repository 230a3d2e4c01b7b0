"""What people send: checked against the catalogue, refused at the field with a sentence, never bent."""

from generations.forms.compare import compare
from generations.forms.generate import GenerateForm, edit_of, remix_of

__all__ = ["GenerateForm", "compare", "edit_of", "remix_of"]
