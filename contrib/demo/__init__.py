"""The demo: start everything, play a flash sale, and prove what became of every order."""
