from django.db import migrations, models

from generations import triggers


class Migration(migrations.Migration):
    dependencies = [("generations", "0009_reconciliation_names_and_nights")]

    operations = [
        migrations.AddField(
            model_name="providerkey",
            name="balance_ending",
            field=models.DecimalField(decimal_places=4, editable=False, max_digits=14, null=True),
        ),
        migrations.AddField(
            model_name="providerkey",
            name="balance_ends_at",
            field=models.DateTimeField(editable=False, null=True),
        ),
        migrations.AlterField(
            model_name="usageentry",
            name="source",
            field=models.CharField(
                choices=[
                    ("vendor", "Vendor"),
                    ("price list", "Price list"),
                    ("admin", "Administrator"),
                    ("history", "Our own experience"),
                ],
                max_length=10,
                verbose_name="source",
            ),
        ),
        # Last of all: SQLite makes a table anew to alter it, and its triggers go with the old one.
        migrations.RunPython(triggers.install, migrations.RunPython.noop),
    ]
