<?php

namespace App;

use Illuminate\Auth\GenericUser;
use Illuminate\Contracts\Auth\Authenticatable;
use Illuminate\Contracts\Auth\UserProvider;

/** Users by their number; nobody has a password. */
class User extends GenericUser
{
    public static function provider(): UserProvider
    {
        return new class () implements UserProvider {
            public function retrieveById($id)
            {
                return new User(['id' => (int) $id, 'name' => "user {$id}", 'remember_token' => null]);
            }

            public function retrieveByToken($id, $token)
            {
                return null;
            }

            public function updateRememberToken(Authenticatable $user, $token)
            {
            }

            public function retrieveByCredentials(array $credentials)
            {
                return null;
            }

            public function validateCredentials(Authenticatable $user, array $credentials)
            {
                return false;
            }
        };
    }
}
