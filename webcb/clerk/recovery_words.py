"""The mail with the link to a new self-care password, in the owner's language. Text only."""

from typing import Final

# language -> subject; who asked, with {login}; what to do; what else
WORDS: Final = {
    "en": (
        "Your new password",
        "Somebody, you we hope, asked for a new password for {login}.",
        "Choose it here, within an hour:",
        "If it was not you, do nothing: your password stays as it is.",
    ),
    "es": (
        "Su nueva contraseña",
        "Alguien, esperamos que usted, pidió una contraseña nueva para {login}.",
        "Elíjala aquí, en el plazo de una hora:",
        "Si no fue usted, no haga nada: su contraseña no cambia.",
    ),
    "pt": (
        "Sua nova senha",
        "Alguém, esperamos que você, pediu uma nova senha para {login}.",
        "Escolha-a aqui, dentro de uma hora:",
        "Se não foi você, não faça nada: sua senha continua a mesma.",
    ),
    "fr": (
        "Votre nouveau mot de passe",
        "Quelqu'un, vous espérons-nous, a demandé un nouveau mot de passe pour {login}.",
        "Choisissez-le ici, dans l'heure :",
        "Si ce n'était pas vous, ne faites rien : votre mot de passe reste le même.",
    ),
    "de": (
        "Ihr neues Passwort",
        "Jemand, hoffentlich Sie, hat für {login} ein neues Passwort verlangt.",
        "Wählen Sie es hier, innerhalb einer Stunde:",
        "Waren Sie es nicht, so tun Sie nichts: Ihr Passwort bleibt, wie es ist.",
    ),
    "ru": (
        "Ваш новый пароль",
        "Кто-то, надеемся, что вы, запросил новый пароль для {login}.",
        "Перейдите по ссылке в течение часа:",
        "Если это были не вы, ничего не делайте: пароль останется прежним.",
    ),
    "ar": (
        "كلمة مرورك الجديدة",
        "طلب شخص ما، نأمل أن يكون أنت، كلمة مرور جديدة لـ {login}.",
        "اخترها هنا خلال ساعة:",
        "إن لم تكن أنت فلا تفعل شيئًا: تبقى كلمة مرورك كما هي.",
    ),
}
