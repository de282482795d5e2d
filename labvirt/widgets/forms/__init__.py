"""Forms made from specs: fields, what was given, choices of a host, and the widget."""
