"""How people come in: django-allauth's doors, bent to this house. Nobody signs up by themselves."""
