"""Views of the doctor's room: what was found on a host, and exercises on broken labs."""
