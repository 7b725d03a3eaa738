"""What travels: requests as read, paths as understood, tokens as signed, answers as sent."""
