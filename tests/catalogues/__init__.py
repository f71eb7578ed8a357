"""The catalogues of the dashboard's languages, made from what the code says in English."""
