"""What people send: checked against the catalogue, refused at the field with a sentence, never bent."""

from generations.forms.generate import GenerateForm, remix_of

__all__ = ["GenerateForm", "remix_of"]
